package main
type serveCmd struct{}
type manifestCmd struct{}
type doctorCmd struct{}
type exportCmd struct{}
type importCmd struct{}
type backupCmd struct{}
type forgetCmd struct{}
func (serveCmd) Run() error { return nil }
func (manifestCmd) Run() error { return nil }
func (doctorCmd) Run() error { return nil }
func (exportCmd) Run() error { return nil }
func (importCmd) Run() error { return nil }
func (backupCmd) Run() error { return nil }
func (forgetCmd) Run() error { return nil }
