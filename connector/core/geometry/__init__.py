"""From a segmentation to what a radiologist would measure."""
