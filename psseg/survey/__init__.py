"""What an instrument sees and what its sky holds: source classes, surveys, PSF and exposure."""
