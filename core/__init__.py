"""What knows no configuration, game, network or run: errors, options, random numbers, costs."""
