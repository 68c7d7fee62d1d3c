//! Prepares the format of topics that the settings choose.

use tidemill_schemas::avro::{Registry, RegistryProblem};

use crate::{
    apps::Format,
    server::settings::{FormatChoice, Settings},
};

/// The format that the settings choose. For Avro, all its schemas are registered and known afterwards.
pub(super) fn prepare(settings: &Settings) -> Result<Format, Vec<RegistryProblem>> {
    let FormatChoice::Avro(registry) = &settings.format else {
        return Ok(if settings.kafka.is_some() { Format::Json } else { Format::Private });
    };
    let registry = Registry::new(registry.clone()).map_err(|problem| vec![problem])?;
    registry.prepare(settings.apps.iter().flat_map(|app| app.subjects()).collect())?;
    Ok(Format::Avro(registry))
}
