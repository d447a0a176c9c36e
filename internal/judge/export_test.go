package judge

// Forget makes a judgement that remembers nothing.
func Forget(in Input) Input {
	in.forgetful = true
	return in
}
