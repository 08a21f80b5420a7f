"""What fails while calls are made, and what becomes of them."""
