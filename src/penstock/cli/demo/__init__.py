"""The demo: one real week of sunshine, walked from the meter to the coupon and back."""
