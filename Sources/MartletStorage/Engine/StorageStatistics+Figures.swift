extension StorageStatistics {
    /// One of the statistics, as people and programs read it.
    package struct Figure: Sendable, Hashable {
        package var name: String
        /// Whether it only grows, from the opening on; otherwise it is what there is at the moment.
        package var isCounter: Bool
        package var meaning: String
        package var value: Int
    }

    /// All of them.
    package var figures: [Figure] {
        func counter(_ name: String, _ meaning: String, _ value: Int) -> Figure {
            Figure(name: name, isCounter: true, meaning: meaning, value: value)
        }
        func gauge(_ name: String, _ meaning: String, _ value: Int) -> Figure {
            Figure(name: name, isCounter: false, meaning: meaning, value: value)
        }
        return [
            counter("commits", "Commits.", commits),
            counter("layers_written", "Layers written, each for one or more commits.", layersWritten),
            counter("rows", "Rows accepted.", rows),
            counter("rows_rejected", "Rows refused at their commit.", rejectedRows),
            counter("ingested_bytes", "Bytes of accepted rows as columns in memory.", bytesIngested),
            counter("written_bytes", "Bytes written to disk for any reason.", bytesWritten),
            counter("syncs", "Calls of fdatasync for layers.", syncs),
            counter("seals", "Hot segments sealed.", seals),
            counter("merges", "Merges of sealed segments.", merges),
            counter("write_failures", "Writes and syncs that failed.", failures),
            counter("cache_hits", "Blocks found in the cache.", cacheHits),
            counter("cache_misses", "Blocks read from files.", cacheMisses),
            gauge("cache_bytes", "Bytes in the block cache.", cacheBytes),
            gauge("head_bytes", "Bytes of layers held in memory.", headBytes),
            gauge("hot_layers", "Layers in hot segments.", layers),
            gauge("hot_segments", "Hot segments.", hotSegments),
            gauge("sealed_segments", "Sealed segments.", sealedSegments),
            gauge("damaged_layers", "Stretches of bytes that opening found damaged.", damagedLayers),
            gauge("series", "Series met, over all open namespaces.", series),
            gauge("stored_bytes", "Bytes of the files that manifests name.", Int(bytesStored)),
        ]
    }
}
