"""What the daemon tells of itself: metrics, the last requests, the engines' counters."""
