import Martlet
import Testing

@testable import MartletCLI

@Suite struct HostTextTests {
    @Test func processorTicksOfTheTotalAndOfEachCore() {
        let stat = """
            cpu  100 10 50 800 20 5 15 0 0 0
            cpu0 60 5 25 400 10 5 15 0 0 0
            intr 12345 0 0
            ctxt 99

            """
        let ticks = HostText.processorTicks(stat)
        #expect(ticks.map(\.name) == ["total", "0"])
        #expect(ticks[0].ticks == [100, 10, 50, 800, 20, 5, 15, 0])
    }

    @Test func sharesOfTheTimeBetweenTwoReadings() {
        let reading = HostText.processorReading(
            name: "total", from: [0, 0, 0, 0, 0, 0, 0, 0], to: [40, 10, 20, 20, 5, 2, 3, 0])
        #expect(
            reading?.line(at: 7)
                == "cpu,cpu=total user_percent=50.0,system_percent=25.0,idle_percent=20.0,iowait_percent=5.0,"
                + "steal_percent=0.0 7\n")
        #expect(HostText.processorReading(name: "0", from: [1, 1, 1, 1, 1, 1, 1], to: [1, 1, 1, 1, 1, 1, 1]) == nil)
    }

    @Test func memoryInBytes() {
        let reading = HostText.memory("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\nCached: 30 kB\n")
        #expect(
            reading?.line(at: 1)
                == "mem total_bytes=1024000i,available_bytes=256000i,used_bytes=768000i,used_percent=75.0,"
                + "cached_bytes=30720i 1\n")
        #expect(HostText.memory("") == nil)
    }

    @Test func wholeDisksOnly() {
        let stats = """
               8       0 sda 10 0 20 5 30 0 40 6 0 70 80 0 0 0 0
               8       1 sda1 1 0 2 5 3 0 4 6 0 7 8 0 0 0 0
               7       0 loop0 1 0 2 5 3 0 4 6 0 7 8 0 0 0 0

            """
        #expect(
            HostText.disks(stats).map { $0.line(at: 1) } == [
                "disk,device=sda reads=10i,read_bytes=10240i,writes=30i,written_bytes=20480i,busy_ms=70i 1\n"
            ])
    }

    @Test(arguments: [
        ("sda", true), ("sda1", false), ("nvme0n1", true), ("nvme0n1p2", false), ("vda", true), ("mmcblk0", true),
        ("mmcblk0p1", false), ("loop3", false), ("dm-0", false),
    ])
    func disksAreToldFromPartitions(name: String, isWhole: Bool) {
        #expect(HostText.isWholeDisk(name) == isWhole)
    }

    @Test func networkCountersAndLoad() {
        let network = """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
                lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0
            """
        #expect(
            HostText.network(network).map { $0.line(at: 1) } == [
                "net,interface=lo received_bytes=100i,received_packets=2i,received_errors=0i,sent_bytes=100i,"
                    + "sent_packets=2i,sent_errors=0i 1\n"
            ])
        #expect(
            HostText.load("0.50 1.25 2.00 3/456 789\n")?.line(at: 1)
                == "load load1=0.5,load5=1.25,load15=2.0,running=3i,tasks=456i 1\n")
        #expect(
            HostText.temperature(zone: "thermal_zone0", kind: "x86 pkg\n", milli: "45500\n")?.line(at: 1)
                == "temperature,kind=x86\\ pkg,zone=thermal_zone0 celsius=45.5 1\n")
    }

    @Test func everyLineIsLineProtocol() {
        var sampler = HostSampler()
        _ = sampler.sample()
        var text = sampler.sample().map { $0.line(at: 1) }.joined()
        var parser = LineProtocolParser()
        text.withUTF8 { bytes in
            _ = parser.parse(
                UnsafeRawBufferPointer(bytes), end: .complete, now: .init(nanoseconds: 0), schema: { _ in nil })
        }
        #expect(parser.takeErrors().count == 0)
        #expect(parser.takeBatch().rowCount > 0)
    }
}

@Suite struct ServeOptionTests {
    @Test(arguments: [("256MiB", 256 << 20), ("1G", 1 << 30), ("64m", 64 << 20), ("100000000", 100_000_000)])
    func memoryIsReadWithItsUnit(text: String, bytes: Int) throws { #expect(try ServeCommand.bytes(text) == bytes) }

    @Test func durabilityHasThreeForms() throws {
        #expect(try ServeCommand.durability("commit") == .commit)
        #expect(try ServeCommand.durability("interval:250") == .interval(milliseconds: 250))
        #expect(try ServeCommand.durability("none") == .none)
    }

    @Test(arguments: [
        ["serve", "--bind", "0.0.0.0"], ["serve", "--line-port", "70000"], ["serve", "--durability", "sometimes"],
        ["serve", "--memory", "1MiB"], ["serve", "--memory", "lots"], ["serve", "--log-level", "loud"],
        ["serve", "--durability", "interval:0"], ["send", "host", "--to", "nowhere"],
        ["send", "host", "--interval", "0"], ["import", "x.csv", "--type", "a=timestamp"],
        ["import", "-", "--format", "csv"], ["import", "x.lp", "--tag", "a"],
    ])
    func impossibleSettingsAreRefusedBeforeAnythingStarts(arguments: [String]) {
        #expect(throws: (any Error).self) { try MartletCommand.parseAsRoot(arguments) }
    }

    @Test func aClosedPortIsNotOpened() throws {
        let command = try MartletCommand.parseAsRoot(["serve", "--http-port", "off", "--line-port", "0"])
        let configuration = try #require(command as? ServeCommand).configuration()
        #expect(!configuration.http.isEnabled)
        #expect(configuration.lineProtocol.port == 0)
    }
}
