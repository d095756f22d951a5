"""Many games side by side: what they look like to a network, how moves are explored, what is kept of them."""
