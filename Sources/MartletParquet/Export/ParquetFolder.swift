import MartletModel

/// The Parquet files of a folder tree, with what the folders' names say of their rows.
package enum ParquetFolder {
    /// One file.
    package struct Entry: Sendable, Equatable {
        /// The file's path, beginning with the folder's.
        package var path: String
        /// The keys and values of the folders on the way, from the outermost; a missing value is `nil`.
        package var partitions: [Partition]

        /// The value of a key, if a folder on the way gives one. An export puts underscores before a key that is also the
        /// name of a column.
        package func value(of key: String) -> String? {
            partitions.first { $0.key.drop { $0 == "_" } == key }?.value
        }
    }

    /// One folder's key and value.
    package struct Partition: Sendable, Equatable {
        /// The key.
        package var key: String
        /// The value; `nil` where it is missing or empty.
        package var value: String?
    }

    /// Folders nested deeper than this are refused: no export makes them.
    private static let depthLimit = 32

    /// All files below `directory` whose names end in `.parquet`, in ascending order of their paths. Names that begin
    /// with a dot or an underscore are passed over, as other readers do, except of folders of the form `key=value`.
    ///
    /// - Throws: `.notFound` when there is no such directory; what the file system throws.
    package static func files(
        in directory: String, fileSystem: any FileSystem
    ) throws(MartletError) -> [Entry] {
        guard fileSystem.exists(directory) else {
            throw MartletError(.notFound, "there is no such directory", at: .file(path: directory, offset: nil))
        }
        var result: [Entry] = []
        try collect(directory, [], fileSystem, &result)
        return result
    }

    private static func collect(
        _ directory: String, _ partitions: [Partition], _ fileSystem: any FileSystem, _ result: inout [Entry]
    ) throws(MartletError) {
        guard partitions.count < depthLimit else {
            throw MartletError(
                .unsupported, "folders are nested deeper than \(depthLimit)", at: .file(path: directory, offset: nil))
        }
        for name in try fileSystem.list(directory).sorted() {
            let path = "\(directory)/\(name)"
            if let partition = HivePath.parse(name), !name.hasSuffix(".parquet") {
                let inner = partitions + [Partition(key: partition.key, value: partition.value)]
                try collect(path, inner, fileSystem, &result)
            } else if name.hasSuffix(".parquet") && !name.hasPrefix(".") && !name.hasPrefix("_") {
                result.append(Entry(path: path, partitions: partitions))
            }
        }
    }
}
