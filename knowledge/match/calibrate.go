package match

type calibrator struct{}

func defaultCalibrator(fitted bool) calibrator { return calibrator{} }
