"""Who can play, against whom, and how strong that makes them."""
