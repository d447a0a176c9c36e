package component

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// etcd is not etcd's own command but the little of it a throw-away cluster of one needs.
func etcd(args []string) int {
	flags := flag.NewFlagSet("etcd", flag.ContinueOnError)
	dataDir := flags.String("data-dir", "", "keep the data in `DIR`")
	socket := flags.String("socket", "", "serve clients on this Unix `SOCKET`")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := serveEtcd(*dataDir, *socket); err != nil {
		fmt.Fprintf(os.Stderr, "etcd: %v\n", err)
		return 1
	}
	return 0
}

func serveEtcd(dataDir, socket string) error {
	config := embed.NewConfig()
	config.Name = "sandbox"
	config.Dir = dataDir
	config.LogLevel = "warn"
	config.EnableGRPCGateway = false
	config.UnsafeNoFsync = true // nothing here is to survive a crash
	// NewConfig leaves this at zero, which warns of every request.
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration

	// A socket in the sandbox's private directory needs neither a port nor certificates, and no other user of the machine can open it.
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Host: socket}}

	// There are no peers. The addresses that membership asks for are never dialled, and nothing listens on them.
	nowhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:1"}}
	config.ListenPeerUrls = nil
	config.AdvertisePeerUrls = nowhere
	config.AdvertiseClientUrls = nowhere
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	// A member alone waits out an election timeout before it leads: shorten it, there is nobody to disturb.
	config.TickMs, config.ElectionMs = 20, 100

	wal.SegmentSizeBytes = 8 << 20 // two segments are allocated at once, 64 MB each by default

	server, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer server.Close()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		return nil
	case <-server.Server.StopNotify():
		return errors.New("server stopped by itself")
	case err := <-server.Err():
		return fmt.Errorf("serve: %w", err)
	}
}
