"""Radiographs that must be refused: other body parts, children, wrong views, test objects, and spoilt radiographs of hips."""
