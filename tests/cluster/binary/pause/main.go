// Command pause holds a pod's sandbox open. In a pod that shares its process namespace it is process 1, so it also has to
// collect orphans.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if collected, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); collected <= 0 && err != syscall.EINTR {
				break
			}
		}
	}
}
