"""Maps whose features are moved by what the features before them say."""
