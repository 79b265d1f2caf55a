"""The on-die network: routes between nodes, link loads, flows."""
