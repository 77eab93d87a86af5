"""How far the estimates of some weights are from DXA: measured by radiographs with DXA, beside the weights."""
