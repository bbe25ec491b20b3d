"""The per-example path: each example walks through the network alone, touching its active weights only."""
