"""Radiographs that must be refused: other body parts, children, wrong views, test objects, and spoilt films of hips."""
