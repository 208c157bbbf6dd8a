"""What the programs in scripts/ share. Not part of the product: nothing in the wheel imports it."""
