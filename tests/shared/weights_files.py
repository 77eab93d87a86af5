"""Weights files as tests need them."""

import hashlib

import torch


def save(content, path):
    """Write weights, or bytes, and their checksum."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
