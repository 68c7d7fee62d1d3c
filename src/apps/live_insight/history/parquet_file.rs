//! Writes the table of windows as Parquet.

use std::{
    io::{self, Write},
    sync::Arc,
};

use parquet::{
    basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};
use tidemill_schemas::Insight;

use super::columns::{COLUMNS, Cell, Column};

/// A row group has at most so many windows. A page of a group is kept in memory.
const GROUP: usize = 10_000;

pub(super) fn write(insights: &[&Insight], out: &mut (impl Write + Send)) -> io::Result<()> {
    table(insights, out).map_err(|error| match error {
        ParquetError::External(error) => io::Error::other(error),
        error => io::Error::other(error),
    })
}

fn table(insights: &[&Insight], out: &mut (impl Write + Send)) -> Result<(), ParquetError> {
    let fields = COLUMNS.iter().map(|column| field(column).map(Arc::new)).collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("windows").with_fields(fields).build()?;
    let properties = WriterProperties::builder().set_created_by("tidemill".to_owned()).build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
    for rows in insights.chunks(GROUP) {
        let mut group = writer.next_row_group()?;
        for column in &COLUMNS {
            let Some(mut place) = group.next_column()? else { break };
            match column.cell {
                Cell::Time(of) => {
                    let values: Vec<i64> = rows.iter().map(|row| of(row)).collect();
                    place.typed::<Int64Type>().write_batch(&values, None, None)?;
                }
                Cell::Whole(of) => {
                    let values: Vec<i64> = rows.iter().map(|row| i64::try_from(of(row)).unwrap_or(i64::MAX)).collect();
                    place.typed::<Int64Type>().write_batch(&values, None, None)?;
                }
                Cell::Real(of) => {
                    let values: Vec<f64> = rows.iter().map(|row| of(row)).collect();
                    place.typed::<DoubleType>().write_batch(&values, None, None)?;
                }
                Cell::Text(of) => {
                    let values: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(of(row).into_bytes())).collect();
                    place.typed::<ByteArrayType>().write_batch(&values, None, None)?;
                }
            }
            place.close()?;
        }
        group.close()?;
    }
    writer.close().map(drop)
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.cell {
        Cell::Time(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Cell::Whole(_) => (Physical::INT64, None),
        Cell::Real(_) => (Physical::DOUBLE, None),
        Cell::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    Type::primitive_type_builder(column.name, physical)
        .with_repetition(Repetition::REQUIRED)
        .with_converted_type(ConvertedType::NONE)
        .with_logical_type(logical)
        .build()
}
