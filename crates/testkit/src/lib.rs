//! Simulated disk, logical clock, reference models and generators.
