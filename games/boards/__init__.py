"""Board games for two as compiled rules: what they share, and alpha-beta search on them."""
