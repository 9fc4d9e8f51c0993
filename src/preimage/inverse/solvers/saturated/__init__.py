"""An affine map and its activation as one: equations where it tells, inequalities where it is saturated."""
