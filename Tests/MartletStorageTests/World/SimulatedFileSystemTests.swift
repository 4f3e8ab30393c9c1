import MartletModel
import MartletTestSupport
import Testing

extension FileSystem {
    /// Makes a file of `bytes`, not synced.
    @discardableResult func make(_ path: String, _ bytes: [UInt8]) throws(MartletError) -> any File {
        let file = try open(path, .create)
        try file.put(bytes, at: 0)
        return file
    }
}

extension File {
    func put(_ bytes: [UInt8], at offset: Int64) throws(MartletError) {
        try bytes.withUnsafeBufferPointer { (elements) throws(MartletError) in
            try write(UnsafeRawBufferPointer(elements), at: offset)
        }
    }
}

@Suite struct SimulatedFileSystemTests {
    @Test func `synced bytes under a synced name survive every crash`() throws {
        for seed in UInt64(0)..<200 {
            let disk = SimulatedFileSystem(seed: seed)
            try disk.createDirectory("/data")
            try disk.syncDirectory("/")
            let file = try disk.make("/data/a", Array("kept".utf8))
            try file.sync()
            try disk.syncDirectory("/data")
            try file.put(Array("lost?".utf8), at: 4)
            let after = disk.crash()
            let contents = try #require(after.contents(of: "/data/a"), "seed \(seed)")
            #expect(contents.starts(with: "kept".utf8), "seed \(seed)")
            #expect(contents.count <= 9, "seed \(seed)")
        }
    }

    @Test func `unsynced bytes are lost, kept and torn, all of them for some seed`() throws {
        var outcomes: Set<[UInt8]?> = []
        for seed in UInt64(0)..<300 {
            let disk = SimulatedFileSystem(seed: seed)
            let file = try disk.make("/a", [])
            try file.sync()
            try disk.syncDirectory("/")
            try file.put([UInt8](repeating: 7, count: 1_500), at: 0)
            outcomes.insert(disk.crash().contents(of: "/a"))
        }
        #expect(outcomes.contains([]))
        #expect(outcomes.contains([UInt8](repeating: 7, count: 1_500)))
        #expect(outcomes.contains { ($0?.count ?? 0) > 0 && ($0?.count ?? 0) < 1_500 })
        #expect(outcomes.contains { $0?.count == 1_500 && $0?.contains(0) == true })
    }

    @Test func `later writes may survive where earlier ones do not`() throws {
        var reordered = 0
        for seed in UInt64(0)..<300 {
            let disk = SimulatedFileSystem(seed: seed)
            let file = try disk.make("/a", [0, 0])
            try file.sync()
            try disk.syncDirectory("/")
            try file.put([1], at: 0)
            try file.put([2], at: 1)
            if disk.crash().contents(of: "/a") == [0, 2] { reordered += 1 }
        }
        #expect(reordered > 0)
    }

    @Test func `a rename survives whole or not at all`() throws {
        var names: Set<[String]> = []
        for seed in UInt64(0)..<200 {
            let disk = SimulatedFileSystem(seed: seed)
            try disk.make("/old", [1]).sync()
            try disk.make("/new", [2]).sync()
            try disk.syncDirectory("/")
            try disk.rename("/new", to: "/old")
            let after = disk.crash()
            let found = try after.list("/")
            names.insert(found)
            #expect(after.contents(of: "/old") == (found.count == 2 ? [1] : [2]), "seed \(seed)")
        }
        #expect(names == [["old"], ["new", "old"]])
    }

    @Test func `a name without a directory sync may be lost, and with one never is`() throws {
        var lost = 0
        for seed in UInt64(0)..<100 {
            let disk = SimulatedFileSystem(seed: seed)
            try disk.make("/kept", [1]).sync()
            try disk.syncDirectory("/")
            try disk.make("/maybe", [1]).sync()
            try disk.remove("/kept")
            try disk.syncDirectory("/")
            try disk.make("/late", [1]).sync()
            let after = disk.crash()
            #expect(after.exists("/maybe") && !after.exists("/kept"))
            if !after.exists("/late") { lost += 1 }
        }
        #expect(lost > 0 && lost < 100)
    }

    @Test func `the same seed and operations leave the same bytes`() throws {
        func run() throws -> [[UInt8]?] {
            let disk = SimulatedFileSystem(seed: 42)
            for index in 0..<20 { try disk.make("/f\(index)", [UInt8](repeating: 1, count: 2_000)) }
            let after = disk.crash()
            return (0..<20).map { after.contents(of: "/f\($0)") }
        }
        #expect(try run() == run())
    }

    @Test func `a crash at any operation fails that operation and all later ones`() throws {
        func run(_ disk: SimulatedFileSystem) throws(MartletError) {
            try disk.createDirectory("/d")
            let file = try disk.make("/d/a.tmp", [1, 2, 3])
            try file.sync()
            try disk.rename("/d/a.tmp", to: "/d/a")
            try disk.syncDirectory("/d")
            try disk.syncDirectory("/")
        }
        let rehearsal = SimulatedFileSystem(seed: 1)
        try run(rehearsal)
        #expect(rehearsal.operationLog.map(\.kind.rawValue).first == "createDirectory")
        for number in 0..<rehearsal.operationCount {
            let disk = SimulatedFileSystem(seed: UInt64(number))
            disk.inject(.powerLoss, atOperation: number)
            #expect(throws: MartletError.self) { try run(disk) }
            #expect(disk.operationCount == number + 1)
            let after = disk.crash()
            if after.exists("/d/a") { #expect(after.contents(of: "/d/a") == [1, 2, 3]) }
        }
    }

    @Test func `a sync that fails drops what it should have kept`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        let file = try disk.make("/a", [1])
        try disk.syncDirectory("/")
        disk.inject(.syncLoss, atOperation: disk.operationCount)
        #expect(throws: MartletError.self) { try file.sync() }
        #expect(disk.contents(of: "/a") == [1])
        try file.sync()
        #expect(disk.crash().contents(of: "/a") == [])
    }

    @Test func `a full disk takes what fits and says so`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        disk.capacity = 10
        let file = try disk.make("/a", [UInt8](repeating: 1, count: 8))
        #expect(try disk.freeBytes(at: "/") == 2)
        let error = #expect(throws: MartletError.self) { try file.put([2, 2, 2, 2], at: 8) }
        #expect(error?.code == .storageFull)
        #expect(disk.contents(of: "/a")?.count == 10)
        try file.put([3], at: 0)
        try disk.remove("/a")
        #expect(try disk.freeBytes(at: "/") == 10)
    }

    @Test func `injected errors strike once, at their operation`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        disk.inject(.storageFull, atOperation: 1)
        disk.inject(.inputOutputError, atOperation: 2)
        disk.injectReadError(atRead: 0)
        let file = try disk.open("/a", .create)
        #expect(#expect(throws: MartletError.self) { try file.put([1], at: 0) }?.code == .storageFull)
        #expect(#expect(throws: MartletError.self) { try file.put([1], at: 0) }?.code == .io)
        try file.put([1], at: 0)
        #expect(#expect(throws: MartletError.self) { _ = try file.readExactly(1, at: 0) }?.code == .io)
        let read = try file.readExactly(1, at: 0)
        #expect(withExtendedLifetime(read) { read.bytes.elementsEqual([1]) })
    }

    @Test func `files behave as on the operating system`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        try disk.createDirectory("/d")
        try disk.createDirectory("/d/")
        let file = try disk.make("/d/a", [1, 2, 3])
        #expect(#expect(throws: MartletError.self) { _ = try disk.open("/d/a", .create) }?.code == .alreadyExists)
        #expect(#expect(throws: MartletError.self) { _ = try disk.open("/d/b", .read) }?.code == .notFound)
        #expect(#expect(throws: MartletError.self) { _ = try disk.open("/x/b", .create) }?.code == .notFound)
        #expect(#expect(throws: MartletError.self) { try disk.removeDirectory("/d") }?.code == .io)
        try disk.link("/d/a", to: "/d/b")
        try disk.remove("/d/a")
        try file.put([9], at: 4)
        #expect(disk.contents(of: "/d/b") == [1, 2, 3, 0, 9])
        try file.truncate(to: 2)
        #expect(try file.size() == 2)
        let reader = try disk.open("/d/b", .read)
        #expect(throws: MartletError.self) { try reader.put([1], at: 0) }
        try reader.close()
        #expect(#expect(throws: MartletError.self) { _ = try reader.size() }?.code == .closed)
        disk.isReadOnly = true
        #expect(#expect(throws: MartletError.self) { try file.put([1], at: 0) }?.code == .readOnly)
    }

    @Test func `a lock has one holder and ends with it or its process`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        let lock = try disk.lock("/LOCK")
        #expect(#expect(throws: MartletError.self) { _ = try disk.lock("/LOCK") }?.code == .locked)
        lock.unlock()
        _ = try disk.lock("/LOCK")
        let held = try disk.lock("/LOCK")
        let next = disk.killProcess()
        _ = try next.lock("/LOCK")
        held.unlock()
        #expect(throws: MartletError.self) { _ = try disk.list("/") }
    }

    @Test func `a killed process loses no written bytes and writes no more`() throws {
        let disk = SimulatedFileSystem(seed: 3)
        let file = try disk.make("/a", [1, 2])
        let next = disk.killProcess()
        #expect(next.contents(of: "/a") == [1, 2])
        #expect(throws: MartletError.self) { try file.put([9], at: 0) }
        #expect(next.contents(of: "/a") == [1, 2])
    }

    @Test func `a manual clock moves only when told`() {
        let clock = ManualClock(now: Timestamp(nanoseconds: 100))
        #expect(clock.now().nanoseconds == 100 && clock.monotonicNanoseconds() == 0)
        clock.advance(by: 5)
        #expect(clock.now().nanoseconds == 105 && clock.monotonicNanoseconds() == 5)
        clock.set(Timestamp(nanoseconds: 1))
        #expect(clock.now().nanoseconds == 1 && clock.monotonicNanoseconds() == 5)
        let stepping = ManualClock(now: Timestamp(nanoseconds: 0), step: 3)
        _ = stepping.now()
        #expect(stepping.now().nanoseconds == 3)
    }
}
