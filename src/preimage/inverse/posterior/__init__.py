"""What can be said about x from y besides the best estimate: means, intervals and draws."""
