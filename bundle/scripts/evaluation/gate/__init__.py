"""How the quality gate is calibrated, and how well it tells what may be measured."""
