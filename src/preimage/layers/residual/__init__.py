"""Maps close to the identity: contractions, planar and Sylvester maps, gradients of convex functions."""
