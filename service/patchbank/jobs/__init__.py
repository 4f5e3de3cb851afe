"""Long work: what each kind of job does, whoever runs it, and jobs in processes of their own."""
