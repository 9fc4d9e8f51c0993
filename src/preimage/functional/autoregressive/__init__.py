"""Systems in which every number depends on earlier ones only."""
