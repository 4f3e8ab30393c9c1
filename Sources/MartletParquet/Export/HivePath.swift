/// Folder names of the form `key=value`, as Hive made them and Spark, DuckDB, polars and pyarrow read them.
package enum HivePath {
    /// What stands for a missing or empty value.
    package static let missing = "__HIVE_DEFAULT_PARTITION__"

    /// The folder's name for a value; characters that a path or another reader could take for something else are
    /// written as `%XX`, as Hive does.
    package static func folder(_ key: String, _ value: String?) -> String {
        guard let value, !value.isEmpty else { return "\(key)=\(missing)" }
        var name = "\(key)="
        for scalar in value.unicodeScalars {
            if scalar.value < 0x20 || scalar.value == 0x7f || "\"#%'*/:=?\\{}[]^".unicodeScalars.contains(scalar) {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                name += "%" + (digits.count == 1 ? "0" : "") + digits
            } else {
                name.unicodeScalars.append(scalar)
            }
        }
        return name
    }

    /// The key and value of a folder's name, or `nil` when it is not of that form. The value of a missing one is `nil`.
    package static func parse(_ folder: String) -> (key: String, value: String?)? {
        // Bytes, not characters: a combining mark at the start of a value would hide the sign.
        let whole = Array(folder.utf8)
        guard let equals = whole.firstIndex(of: UInt8(ascii: "=")), equals > 0,
            let key = String(validating: whole[..<equals], as: UTF8.self)
        else { return nil }
        var rest = whole[(equals + 1)...]
        if rest.elementsEqual(missing.utf8) { return (key, nil) }
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        guard let value = String(validating: bytes, as: UTF8.self) else { return nil }
        return (key, value)
    }
}
