//! Steps without state whose functions may fail.

use tidemill_state::BoxError;

use super::KStream;
use crate::{
    operators::Failure,
    record::{Data, Record},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// As [`map`](Self::map), with a function that may fail. In Kafka Streams, a function throws.
    ///
    /// An error goes to the [`processing_handler`](crate::StreamsConfig::processing_handler), with the operator's name
    /// and the position of the input record. By default the task fails. If the handler lets the error pass, the record
    /// leaves no trace: no output and no change of a store, also in other branches.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let lines = builder.stream::<u64, String>("lines");
    /// lines.group_by_key().count("lines-of-user");
    /// lines.try_map(|user, line| Ok::<_, std::num::ParseIntError>((line.parse::<u64>()?, user))).to("by-number");
    ///
    /// let handler = RecordHandler::DeadLetter("not-a-number".into());
    /// let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, String>("lines").pipe_all([(7, "12".into(), 0), (7, "twelve".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, u64>("by-number").read()?, [(12, 7, 0)]);
    /// assert_eq!(driver.output::<u64, String>("not-a-number").read_values()?, ["twelve"]);
    /// // The count of the other branch is undone, too.
    /// assert_eq!(driver.key_value_store::<u64, i64>("lines-of-user", 0)?.expect("it runs").get(&7)?, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map<K2: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        map: impl Fn(K, V) -> Result<(K2, V2), E> + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.map_records("try-map", true, move |record| {
            let (key, value) = map(record.key, record.value).map_err(Failure::of_user)?;
            Ok::<_, Box<Failure>>(Record { key, value, timestamp: record.timestamp, headers: record.headers })
        })
    }

    /// As [`map_values`](Self::map_values), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("lines").try_map_values(|line| line.parse::<i64>()).named("parse").to("numbers");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let lines = driver.input::<u64, String>("lines");
    /// lines.pipe(7, "12".into(), 0)?;
    /// assert_eq!(driver.output::<u64, i64>("numbers").read_values()?, [12]);
    /// // By default the task fails.
    /// let error = lines.pipe(7, "twelve".into(), 1).unwrap_err().to_string();
    /// assert_eq!(error, "task 0_0, operator 'parse', topic 'lines', partition 0, offset 1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map_values<V2: Data, E: Into<BoxError> + 'static>(
        &self,
        map: impl Fn(V) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.try_map_values_with_key(move |_, value| map(value))
    }

    /// As [`map_values_with_key`](Self::map_values_with_key), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let share = |people: &u64, cents: u64| cents.checked_div(*people).ok_or("nobody pays");
    /// builder.stream::<u64, u64>("bills").try_map_values_with_key(share).to("shares");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, u64>("bills").pipe_all([(0, 90, 0), (3, 90, 1)])?;
    /// assert_eq!(driver.output::<u64, u64>("shares").read_values()?, [30]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map_values_with_key<V2: Data, E: Into<BoxError> + 'static>(
        &self,
        map: impl Fn(&K, V) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.map_records("try-map-values", false, move |record| {
            let Record { key, value, timestamp, headers } = record;
            let value = map(&key, value).map_err(Failure::of_user)?;
            Ok::<_, Box<Failure>>(Record { key, value, timestamp, headers })
        })
    }

    /// As [`select_key`](Self::select_key), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let views = builder.stream::<u64, String>("views");
    /// views.try_select_key(|_, page| page.strip_prefix('/').map(str::to_owned).ok_or("no path")).to("by-page");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, String>("views").pipe_all([(1, "/home".into(), 0), (1, "home".into(), 1)])?;
    /// let by_page = driver.output::<String, String>("by-page").read()?;
    /// assert_eq!(by_page, [("home".to_owned(), "/home".to_owned(), 0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_select_key<K2: Data, E: Into<BoxError> + 'static>(
        &self,
        key: impl Fn(&K, &V) -> Result<K2, E> + Send + Sync + 'static,
    ) -> KStream<K2, V> {
        self.map_records("try-select-key", true, move |record| {
            let key = key(&record.key, &record.value).map_err(Failure::of_user)?;
            let Record { value, timestamp, headers, .. } = record;
            Ok::<_, Box<Failure>>(Record { key, value, timestamp, headers })
        })
    }

    /// As [`filter`](Self::filter), with a predicate that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let large = |_: &u64, amount: &String| amount.parse::<i64>().map(|cents| cents >= 1_000);
    /// builder.stream::<u64, String>("amounts").try_filter(large).to("large");
    ///
    /// let handler = RecordHandler::DeadLetter("odd".into());
    /// let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let amounts = [(1, "250".into(), 0), (2, "much".into(), 1), (3, "4000".into(), 2)];
    /// driver.input::<u64, String>("amounts").pipe_all(amounts)?;
    /// assert_eq!(driver.output::<u64, String>("large").read_values()?, ["4000"]);
    /// assert_eq!(driver.output::<u64, String>("odd").read_values()?, ["much"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_filter<E: Into<BoxError> + 'static>(
        &self,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        self.filter_records("try-filter", move |key, value| predicate(key, value).map_err(Failure::of_user))
    }

    /// As [`filter_not`](Self::filter_not), with a predicate that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map): a record
    /// that cannot be judged is neither kept nor dropped silently.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let large = |_: &u64, amount: &String| amount.parse::<i64>().map(|cents| cents >= 1_000);
    /// builder.stream::<u64, String>("amounts").try_filter_not(large).to("small");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let amounts = [(1, "250".into(), 0), (2, "much".into(), 1), (3, "4000".into(), 2)];
    /// driver.input::<u64, String>("amounts").pipe_all(amounts)?;
    /// assert_eq!(driver.output::<u64, String>("small").read_values()?, ["250"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_filter_not<E: Into<BoxError> + 'static>(
        &self,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        self.filter_records("try-filter-not", move |key, value| {
            predicate(key, value).map(|is_true| !is_true).map_err(Failure::of_user)
        })
    }

    /// As [`flat_map`](Self::flat_map), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let numbers = |user: u64, line: String| {
    ///     line.split(' ').map(|part| Ok((part.parse::<u64>()?, user))).collect::<Result<Vec<_>, std::num::ParseIntError>>()
    /// };
    /// builder.stream::<u64, String>("lines").try_flat_map(numbers).to("numbers");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, String>("lines").pipe_all([(7, "1 x".into(), 0), (7, "2 3".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, u64>("numbers").read()?, [(2, 7, 1), (3, 7, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_flat_map<K2: Data, V2: Data, I, E: Into<BoxError> + 'static>(
        &self,
        map: impl Fn(K, V) -> Result<I, E> + Send + Sync + 'static,
    ) -> KStream<K2, V2>
    where
        I: IntoIterator<Item = (K2, V2)> + 'static,
    {
        self.flat_map_records("try-flat-map", true, move |key, value| map(key, value).map_err(Failure::of_user))
    }

    /// As [`flat_map_values`](Self::flat_map_values), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let digits = |line: String| line.chars().map(|one| one.to_digit(10).ok_or("no digit")).collect::<Result<Vec<_>, _>>();
    /// builder.stream::<u64, String>("lines").try_flat_map_values(digits).to("digits");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, String>("lines").pipe_all([(7, "1x".into(), 0), (7, "23".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, u32>("digits").read_values()?, [2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_flat_map_values<V2: Data, I, E: Into<BoxError> + 'static>(
        &self,
        map: impl Fn(V) -> Result<I, E> + Send + Sync + 'static,
    ) -> KStream<K, V2>
    where
        I: IntoIterator<Item = V2> + 'static,
    {
        self.flat_map_records("try-flat-map-values", false, move |key: K, value| {
            let values = map(value).map_err(Failure::of_user)?;
            Ok::<_, Box<Failure>>(values.into_iter().map(move |value| (key.clone(), value)))
        })
    }

    /// As [`peek`](Self::peek), with a function that may fail, for checks. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let check = |_: &u64, cents: &i64| if *cents >= 0 { Ok(()) } else { Err("a negative amount") };
    /// builder.stream::<u64, i64>("orders").try_peek(check).to("checked");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, -1, 0), (1, 250, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("checked").read_values()?, [250]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_peek<E: Into<BoxError> + 'static>(
        &self,
        look: impl Fn(&K, &V) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.peek_records("try-peek", move |key, value| look(key, value).map_err(Failure::of_user))
    }
}
