"""How far a hospital's radiographs are from those that the networks were trained on, before any truth about them is known."""
