"""A ready-made story to look at: a few days in the life of a churn model, with a gap, a conflict and a step back."""
