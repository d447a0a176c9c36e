package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/coaming/coaming/test/sandbox/cluster"
)

func printKubeconfig(args []string) error {
	flags := flag.NewFlagSet("sandbox kubeconfig", flag.ContinueOnError)
	dir := flags.String("dir", "", "`DIR` of the running sandbox, as its JSON line names it")
	var user cluster.User
	flags.StringVar(&user.Name, "user", "", "`NAME` of the user")
	flags.Func("group", "`GROUP` of the user; may be repeated", func(s string) error {
		user.Groups = append(user.Groups, s)
		return nil
	})
	flags.BoolVar(&user.Expired, "expired", false, "sign a certificate that ended an hour ago")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *dir == "" || user.Name == "" {
		return usageError(flags, "--dir and --user are needed")
	}
	data, err := cluster.Kubeconfig(*dir, user, time.Now())
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(data); err != nil {
		return fmt.Errorf("print kubeconfig: %w", err)
	}
	return nil
}
