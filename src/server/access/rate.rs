//! How many records a tenant may send: a bucket that fills with the tenant's rate.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::server::problem::Problem;

/// The records that a tenant may still send.
#[derive(Debug)]
pub(super) struct Rate {
    records_per_second: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    records: f64,
    filled: Instant,
}

impl Rate {
    pub(super) fn new(records_per_second: u32) -> Self {
        let records_per_second = f64::from(records_per_second);
        let bucket = Mutex::new(Bucket { records: records_per_second, filled: Instant::now() });
        Self { records_per_second, bucket }
    }

    /// Takes records off the rate. Refuses them when the rate is used up.
    pub(super) fn take(&self, records: usize) -> Result<(), Problem> {
        let rate = self.records_per_second;
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        bucket.records = (bucket.records + now.duration_since(bucket.filled).as_secs_f64() * rate).min(rate);
        bucket.filled = now;
        // A batch larger than one second's rate passes when the bucket is full. The bucket then goes below zero.
        if bucket.records < (records as f64).min(rate) {
            let seconds = ((records as f64).min(rate) - bucket.records) / rate;
            return Err(Problem::busy(format!("more than {rate} records a second"), seconds.ceil() as u64));
        }
        bucket.records -= records as f64;
        Ok(())
    }
}
