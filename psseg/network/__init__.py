"""The U-Net: its layers, training, storage, and labelling maps with it."""
