package auth

// WithPolicy returns a service on the same store with another login policy.
func (s *Service) WithPolicy(policy int) *Service {
	o := s.options
	o.Policy = policy
	return New(s.store, o)
}
