//! Whether somebody speaks.

use earshot::Detector;

/// Tells speech from silence, music and noise, frame by frame: a small neural network.
pub(crate) struct Voice {
    detector: Detector,
    threshold: f32,
}

impl Voice {
    pub(crate) fn new(threshold: f32) -> Self {
        Self { detector: Detector::default(), threshold }
    }

    /// Whether there is speech in the next frame.
    pub(crate) fn hears(&mut self, frame: &[i16]) -> bool {
        self.detector.predict_i16(frame) >= self.threshold
    }

    /// The next frame does not follow the last one.
    pub(crate) fn reset(&mut self) {
        self.detector.reset();
    }
}
