from sqlalchemy import text
async def test_a(database): await database.ping()
async def test_b(session, make):
    u = await make.user(); await make.operation(); await make.appointment(); await make.gate(); await make.audit_entry(); await make.job()
    await session.commit()
async def test_c(database):
    from tests.support.factories import Factory
    async with database.session() as s: await Factory(s).appointment()
async def test_d(database):
    async with database.session() as s:
        assert (await s.execute(text("select count(*) from users"))).scalar()==0
