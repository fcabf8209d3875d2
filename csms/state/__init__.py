"""Rows are the truth; the folds' state is a cache rebuilt from them."""
