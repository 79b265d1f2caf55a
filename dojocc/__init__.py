"""dojocc: compiles model graphs to instruction streams for Dojo and runs them."""
