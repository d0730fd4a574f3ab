-- Indexes for what is asked often, so that it costs no more with a million rows. The state comes first though each has only one: SQLite
-- prefers an index in which everything is compared, and would go by requests_by_state.
DROP INDEX requests_to_issue;
CREATE INDEX requests_to_issue ON requests (state, issue_at, submitted_at) WHERE state = 'approved';
CREATE INDEX requests_due ON requests (state, approve_at) WHERE state = 'pending' AND approve_at IS NOT NULL;

-- The expression stands in the queries to the letter.
CREATE INDEX authorisations_by_standing ON authorisations (
    (CASE WHEN withdrawn_at IS NOT NULL THEN 'withdrawn' WHEN used_by IS NOT NULL THEN 'used' ELSE 'unused' END), authorised_at, id
);
CREATE INDEX authorisations_by_company_and_standing ON authorisations (
    company, (CASE WHEN withdrawn_at IS NOT NULL THEN 'withdrawn' WHEN used_by IS NOT NULL THEN 'used' ELSE 'unused' END), authorised_at, id
);
