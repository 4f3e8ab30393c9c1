import MartletModel
import MartletTestSupport
import Testing

@testable import MartletHistories
@testable import MartletStorage

@Suite struct StorageCheckTests {
    @Test func `a sound directory has no damage and all of it is read`() throws {
        let directory = try DamagedDirectory()
        let disk = try directory.disk()
        let report = try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)
        #expect(report.isSound, "\(report.damage)")
        #expect(report.notes.isEmpty, "\(report.notes)")
        #expect(report.namespaces == 1 && report.segments >= 2 && report.layers >= 3)
        #expect(report.rows >= 600 && report.blocks > 10)
        #expect(
            disk.operationCount == DamagedDirectory.operationsBefore, "a check changes nothing: \(disk.operationLog)")
    }

    /// Reads what an engine serves of a damaged disk, which must be true as far as it goes.
    private func expectTruth(
        _ directory: DamagedDirectory, _ disk: SimulatedFileSystem, _ what: String
    ) throws -> [String: TableModel?] {
        let engine = try DamagedDirectory.open(disk)
        var read: [String: TableModel?] = [:]
        for table in ["cpu", "mem"] {
            let found = try DamagedDirectory.read(table, of: engine)
            read[table] = .some(found)
            if let found { #expect(directory.invention(in: found, of: table) == nil, "\(what)") }
        }
        try engine.close()
        return read
    }

    @Test func `whatever byte of a segment flips, it is named, the rest serves, and a repair loses nothing else`()
        throws
    {
        let directory = try DamagedDirectory()
        var generator = SeededGenerator(seed: 7)
        for path in directory.paths where !path.hasSuffix("MANIFEST") {
            for _ in 0..<14 {
                let size = directory.size(of: path)
                let offset = Int.random(in: 0..<size, using: &generator)
                let bit = UInt8.random(in: 0..<8, using: &generator)
                let what = "bit \(bit) of byte \(offset) of \(path) (\(size) bytes)"
                let disk = try directory.disk(changing: path) { $0[offset] ^= 1 << bit }
                let report = try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)
                #expect(!report.isSound || !report.notes.isEmpty, "\(what)")
                for damage in report.damage { #expect(damage.path == path, "\(what): \(damage)") }
                _ = try expectTruth(directory, try directory.disk(changing: path) { $0[offset] ^= 1 << bit }, what)

                let repair = try StorageRepair.repair(at: DamagedDirectory.path, fileSystem: disk)
                #expect(repair.check.damage == report.damage, "\(what)")
                #expect(repair.quarantined.isEmpty == report.isSound, "\(what)")
                for name in repair.quarantined { #expect(disk.exists(name), "\(what)") }
                let after = try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)
                #expect(after.isSound, "\(what): \(after.damage)")
                for (table, found) in try expectTruth(directory, disk, what + " after repair") {
                    #expect(found != nil, "\(what): \(table) can't be read after the repair")
                    let expected = directory.model.tables[table] ?? TableModel()
                    let named = Set(report.damage.map(\.table))
                    if report.isSound || named.contains(nil) || named.contains(table) { continue }
                    let lost = expected.rows.filter { !$0.value.isEmpty }.contains { found?.rows[$0.key] != $0.value }
                    #expect(!lost, "\(what): \(table) lost rows: \(report.damage)")
                }
            }
        }
    }

    @Test func `a segment that is cut or missing is named and the others serve`() throws {
        let directory = try DamagedDirectory()
        var generator = SeededGenerator(seed: 8)
        for path in directory.paths where !path.hasSuffix("MANIFEST") {
            for round in 0..<5 {
                let kept = round == 0 ? 0 : Int.random(in: 0..<directory.size(of: path), using: &generator)
                let what = "\(path) cut to \(kept) bytes"
                let disk = try directory.disk(changing: path) { $0.removeLast($0.count - kept) }
                _ = try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)
                _ = try expectTruth(directory, disk, what)
                _ = try StorageRepair.repair(at: DamagedDirectory.path, fileSystem: disk)
                let after = try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)
                #expect(after.isSound, "\(what): \(after.damage)")
                for (table, found) in try expectTruth(directory, disk, what) {
                    #expect(found != nil, "\(what) \(table)")
                }
            }
            let disk = try directory.disk()
            try disk.remove(path)
            let report = try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)
            #expect(report.damage.map(\.path) == [path])
            _ = try expectTruth(directory, disk, "\(path) missing")
            _ = try StorageRepair.repair(at: DamagedDirectory.path, fileSystem: disk)
            #expect(try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk).isSound)
        }
    }

    @Test func `a damaged or missing manifest is made anew from the segments`() throws {
        let directory = try DamagedDirectory()
        let path = DamagedDirectory.namespace + "/MANIFEST"
        var generator = SeededGenerator(seed: 9)
        for round in 0..<6 {
            let offset = Int.random(in: 0..<directory.size(of: path), using: &generator)
            let disk = try directory.disk(changing: path) { $0[offset] ^= 0x10 }
            if round == 0 { try disk.remove(path) }
            #expect(!(try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)).isSound)
            #expect(throws: MartletError.self, "no data is thrown away without a manifest") {
                let engine = try DamagedDirectory.open(disk)
                _ = try engine.namespace("default")
            }
            let repair = try StorageRepair.repair(at: DamagedDirectory.path, fileSystem: disk)
            #expect(!repair.losses.isEmpty)
            #expect(try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk).isSound)
            let engine = try DamagedDirectory.open(disk)
            let observed = try HistoryObserver.read(try engine.namespace("default"))
            #expect(directory.model.difference(from: observed) == nil, "byte \(offset)")
            try engine.close()
        }
    }

    @Test func `a repair that is cut off by a crash leaves what a second one repairs`() throws {
        let directory = try DamagedDirectory()
        let path = try #require(directory.paths.first { $0.hasSuffix(".sealed") })
        let rehearsal = try directory.disk(changing: path) { $0[$0.count / 3] ^= 1 }
        _ = try StorageRepair.repair(at: DamagedDirectory.path, fileSystem: rehearsal)
        for number in DamagedDirectory.operationsBefore..<rehearsal.operationCount {
            let disk = try directory.disk(changing: path) { $0[$0.count / 3] ^= 1 }
            disk.inject(.powerLoss, atOperation: number)
            #expect(throws: MartletError.self) {
                try StorageRepair.repair(at: DamagedDirectory.path, fileSystem: disk)
            }
            let next = disk.crash()
            _ = try StorageRepair.repair(at: DamagedDirectory.path, fileSystem: next)
            #expect(try StorageCheck.check(at: DamagedDirectory.path, fileSystem: next).isSound, "operation \(number)")
            let read = try expectTruth(directory, next, "operation \(number)")
            #expect(read["mem"] != .some(nil) && read["cpu"] != .some(nil), "operation \(number)")
        }
    }

    @Test func `a repair is refused while another process writes`() throws {
        let disk = try DamagedDirectory().disk()
        let engine = try DamagedDirectory.open(disk)
        let error = #expect(throws: MartletError.self) {
            try StorageRepair.repair(at: DamagedDirectory.path, fileSystem: disk)
        }
        #expect(error?.code == .locked)
        try engine.close()
    }
}
