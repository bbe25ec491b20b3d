"""Studies: many simulations and trainings as tables of records."""
