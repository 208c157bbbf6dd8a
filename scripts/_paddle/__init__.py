"""A stateful double of Paddle Billing for tests and demonstrations. Never part of the wheel."""
