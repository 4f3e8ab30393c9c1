import MartletModel

/// Reads a Parquet file as record batches of bounded size.
///
/// Reads flat files of any writer: see `format-spec/parquet-export.md` for the types, encodings and compressions. Opening
/// reads the footer only; memory is bounded by `ParquetReaderOptions.memoryLimit` per column. Not safe for use by two
/// threads at once.
package final class ParquetReader {
    /// The columns of the batches.
    package let schema: [ColumnDescription]
    /// Rows in the file.
    package let rowCount: Int64
    /// Row groups in the file.
    package var rowGroupCount: Int { metadata.rowGroups.count }
    /// The program that wrote the file, in its own words.
    package var createdBy: String? { metadata.createdBy }
    /// The texts attached to the file.
    package let keyValues: [String: String]

    let metadata: FileMetadata
    private let file: any File
    private let path: String
    private let fileSize: Int64
    private let options: ParquetReaderOptions
    private let leaves: [ColumnLeaf]
    private let decompressor = PageDecompressor()
    private var nextGroup = 0
    private var readers: [ColumnReader] = []
    private var rowsLeft: Int64 = 0
    private var batchRows = 0

    /// Opens a file; `path` is for messages.
    ///
    /// - Throws: `.corrupt` when it is no Parquet file or is damaged; `.unsupported` for encrypted files and columns of
    ///   types that have no counterpart, naming the column; `.notFound` for a wanted column that isn't there;
    ///   `.typeConflict` for a wanted role that doesn't fit its column.
    package init(
        _ file: any File, path: String, options: ParquetReaderOptions = ParquetReaderOptions()
    ) throws(MartletError) {
        guard options.batchRows >= 1, options.batchBytes >= 1, options.memoryLimit >= 1 else {
            throw MartletError(.invalidArgument, "the limits of a Parquet reader must be positive")
        }
        self.file = file
        self.path = path
        self.options = options
        do throws(MartletError) {
            fileSize = try file.size()
            metadata = try Self.footer(of: file, size: fileSize, limit: options.memoryLimit)
            var keyValues: [String: String] = [:]
            for pair in metadata.keyValues { keyValues[pair.key] = pair.value ?? "" }
            self.keyValues = keyValues
            let fileSchema = try FileSchema(metadata.schema)
            leaves = try Self.select(options.columns, from: fileSchema)
            schema = try Self.describe(
                leaves, wanted: options.roles, noted: SchemaNote.roles(keyValues[SchemaNote.key] ?? ""))
            rowCount = try Self.check(metadata, leafCount: fileSchema.leafCount)
        } catch {
            throw Self.locate(error, path: path)
        }
    }

    /// The next rows, or `nil` after the last.
    ///
    /// - Throws: `.corrupt`, `.unsupported`, `.outOfRange`, `.invalidUTF8`, `.resourceExhausted`, each naming the column.
    package func next() throws(MartletError) -> RecordBatch? {
        while rowsLeft == 0 {
            guard nextGroup < metadata.rowGroups.count else { return nil }
            try openGroup(metadata.rowGroups[nextGroup])
            nextGroup += 1
        }
        let rows = Int(min(Int64(batchRows), rowsLeft))
        var columns: [Column] = []
        columns.reserveCapacity(readers.count)
        for reader in readers {
            do throws(MartletError) {
                let column = try reader.read(rows)
                if schema[columns.count].role == .time && column.nullCount > 0 {
                    throw MartletError(.typeConflict, "\(column.nullCount) rows have no time")
                }
                columns.append(column)
            } catch {
                throw Self.locate(error, path: path, column: reader.leaf.name, group: nextGroup - 1)
            }
        }
        rowsLeft -= Int64(rows)
        return RecordBatch(schema: schema, columns: columns, rowCount: rows)
    }

    private func openGroup(_ group: RowGroupMetadata) throws(MartletError) {
        readers = []
        var bytes: Int64 = 0
        for leaf in leaves {
            let chunk = group.columns[leaf.ordinal]
            do throws(MartletError) {
                readers.append(
                    try ColumnReader(
                        leaf, chunk: chunk, rowCount: group.rowCount, file: file, fileSize: fileSize,
                        options: options, decompressor: decompressor))
            } catch {
                throw Self.locate(error, path: path, column: leaf.name, group: nextGroup)
            }
            bytes += min(max(0, chunk.metadata?.totalUncompressedSize ?? 0), 1 << 40)
        }
        rowsLeft = group.rowCount
        let perRow = max(1, bytes / max(1, group.rowCount))
        batchRows = max(1, min(options.batchRows, Int(Int64(options.batchBytes) / perRow)))
    }

    private static func footer(of file: any File, size: Int64, limit: Int) throws(MartletError) -> FileMetadata {
        guard size >= 12 else { throw MartletError(.corrupt, "\(size) bytes are no Parquet file") }
        let tail = try file.readExactly(8, at: size - 8)
        let magic = tail.bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self).littleEndian
        guard magic != 0x4552_4150 else { throw MartletError(.unsupported, "the Parquet file is encrypted") }
        guard magic == 0x3152_4150 else {
            throw MartletError(.corrupt, "the file does not end as a Parquet file does; it may be cut off")
        }
        let length = Int64(tail.bytes.loadUnaligned(as: UInt32.self).littleEndian)
        guard length <= size - 12 else {
            throw MartletError(.corrupt, "a footer of \(length) bytes does not fit in a file of \(size)")
        }
        guard length <= limit else {
            throw MartletError(.resourceExhausted, "a footer of \(length) bytes is larger than the limit of \(limit)")
        }
        let footer = try file.readExactly(Int(length), at: size - 8 - length)
        var reader = ThriftReader(footer.bytes)
        let metadata = try FileMetadata(from: &reader)
        withExtendedLifetime(footer) {}
        guard !metadata.isEncrypted else { throw MartletError(.unsupported, "the Parquet file is encrypted") }
        return metadata
    }

    /// Checks the row groups against each other; returns the number of rows.
    private static func check(_ metadata: FileMetadata, leafCount: Int) throws(MartletError) -> Int64 {
        var rows: Int64 = 0
        for (number, group) in metadata.rowGroups.enumerated() {
            guard group.columns.count == leafCount else {
                throw MartletError(
                    .corrupt, "row group \(number) has \(group.columns.count) columns, the schema \(leafCount)")
            }
            let (sum, overflow) = rows.addingReportingOverflow(group.rowCount)
            guard group.rowCount >= 0, !overflow else {
                throw MartletError(.corrupt, "row group \(number) claims \(group.rowCount) rows")
            }
            rows = sum
        }
        guard rows == metadata.rowCount else {
            throw MartletError(.corrupt, "the row groups have \(rows) rows, the file claims \(metadata.rowCount)")
        }
        return rows
    }

    private static func select(_ names: [String]?, from schema: FileSchema) throws(MartletError) -> [ColumnLeaf] {
        var result: [ColumnLeaf] = []
        func take(_ entry: FileSchema.Entry) throws(MartletError) {
            guard let leaf = entry.leaf else {
                throw MartletError(
                    .unsupported, "column '\(entry.name)' \(entry.obstacle), which is not read by this build",
                    hint: "name the columns to read and leave it out")
            }
            result.append(leaf)
        }
        if let names {
            for name in names {
                guard let entry = schema.entries.first(where: { $0.name == name }) else {
                    throw MartletError(
                        .notFound, "there is no column '\(name)'",
                        hint: "the columns are " + schema.entries.map { "'\($0.name)'" }.joined(separator: ", "))
                }
                try take(entry)
            }
        } else {
            for entry in schema.entries { try take(entry) }
        }
        return result
    }

    /// The columns with their roles. A role that the caller asks for must fit; one that the file notes is a hint.
    private static func describe(
        _ leaves: [ColumnLeaf], wanted: [String: ColumnRole], noted: [String: ColumnRole]
    ) throws(MartletError) -> [ColumnDescription] {
        func fits(_ role: ColumnRole, _ leaf: ColumnLeaf) -> Bool {
            switch role {
            case .time: leaf.type == .timestamp
            case .tag: leaf.type == .string
            case .field, .value: true
            case .series: false
            }
        }
        for name in wanted.keys.sorted() where !leaves.contains(where: { $0.name == name }) {
            throw MartletError(.notFound, "there is no column '\(name)' to give a role to")
        }
        var schema: [ColumnDescription] = []
        for leaf in leaves {
            if let role = wanted[leaf.name] {
                guard fits(role, leaf) else {
                    throw MartletError(
                        .typeConflict, "column '\(leaf.name)' of type \(leaf.type.name) can't be a \(role) column")
                }
                schema.append(ColumnDescription(leaf.name, leaf.type, role))
            } else {
                let role = noted[leaf.name] ?? .value
                schema.append(ColumnDescription(leaf.name, leaf.type, fits(role, leaf) ? role : .value))
            }
        }
        return schema
    }

    private static func locate(
        _ error: MartletError, path: String, column: String? = nil, group: Int? = nil
    ) -> MartletError {
        var message = error.message
        if let column, let group { message = "column '\(column)', row group \(group): " + message }
        return MartletError(error.code, message, at: error.location ?? .file(path: path, offset: nil), hint: error.hint)
    }
}

extension ParquetReader {
    /// The names of a file's columns, also of those whose types are not read.
    ///
    /// - Throws: `.corrupt` or `.unsupported` for what is no readable Parquet file.
    package static func columnNames(of file: any File, path: String) throws(MartletError) -> [String] {
        do throws(MartletError) {
            let limit = ParquetReaderOptions().memoryLimit
            let metadata = try footer(of: file, size: try file.size(), limit: limit)
            return try FileSchema(metadata.schema).entries.map(\.name)
        } catch {
            throw locate(error, path: path)
        }
    }
}
