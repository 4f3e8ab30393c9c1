import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the process is connected to.
enum Terminal {
    /// Whether standard input, output and error are terminals.
    static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Columns and rows of the terminal on standard output or error; `COLUMNS` and `LINES` where there is none.
    static var size: (columns: Int, rows: Int) {
        var window = winsize()
        for descriptor in [STDOUT_FILENO, STDERR_FILENO] {
            if ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0 && window.ws_col > 0 {
                return (Int(window.ws_col), max(2, Int(window.ws_row)))
            }
        }
        func environment(_ name: String, _ fallback: Int) -> Int {
            getenv(name).flatMap { Int(String(cString: $0)) }.map { max(20, min($0, 1000)) } ?? fallback
        }
        return (environment("COLUMNS", 80), environment("LINES", 24))
    }

    /// Whether colours may be written to standard output; see https://no-color.org.
    static var outputTakesColor: Bool {
        outputIsTerminal && getenv("NO_COLOR") == nil && getenv("TERM").map { String(cString: $0) } != "dumb"
    }

    /// Whether the locale's characters are UTF-8. An unset locale counts as UTF-8, as terminals of today are.
    static var usesUnicode: Bool {
        for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
            guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { continue }
            let upper = value.uppercased()
            return upper.contains("UTF-8") || upper.contains("UTF8") || upper == "C" || upper == "POSIX"
        }
        return true
    }

    /// Writes all of `bytes` to standard output. Ends the process quietly when the reader is gone, as other tools do.
    static func write(_ bytes: UnsafeRawBufferPointer) {
        if !writeAll(bytes, to: STDOUT_FILENO) { exit(141) }
    }

    /// Writes text to standard output.
    static func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    /// Writes text to standard error. A closed error stream is nothing to report an error about.
    static func writeError(_ text: String) {
        var text = text
        text.withUTF8 { _ = writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            #if canImport(Glibc)
                let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            #elseif canImport(Musl)
                let count = Musl.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            #else
                let count = Darwin.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            #endif
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            done += count
        }
        return true
    }
}
