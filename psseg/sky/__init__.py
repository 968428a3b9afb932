"""The simulated sky: source populations, diffuse emission, expected counts and noise."""
