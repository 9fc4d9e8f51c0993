"""What an inverse says of itself: ledger, round trips, pages, comparisons."""
